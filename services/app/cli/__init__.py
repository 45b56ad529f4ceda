"""What a person types, and what the terminal shows: commands that ask a service over its REST API, or are about files of this machine."""

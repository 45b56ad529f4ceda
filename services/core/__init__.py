"""What the services share, and the only thing that they may import of each other."""

"""The trajectory database at a million conversations: made, asked, and measured."""

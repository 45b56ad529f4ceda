"""The pocket world's rules: grammar, people, judge and benchmark rows. No torch here."""

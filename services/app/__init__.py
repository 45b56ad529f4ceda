"""The composition root: workers, wiring, what names mean, and the command line. It alone imports every room."""

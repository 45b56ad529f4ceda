"""Row formats: what SFT, KTO, exports and dataset checks mean by a row. Pure."""

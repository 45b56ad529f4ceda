"""From a study's numbers to what a person takes away: drift.json, a figure, one HTML page, a table."""

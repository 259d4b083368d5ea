"""From files to data with places: finding them, reading YAML, and what is wrong with either."""

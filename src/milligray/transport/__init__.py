"""Transport engines: energy imparted from a patient and a source."""

"""What tests are made of: recorded runs, tiny settings, mixers with planted faults."""

"""What all models compute with: devices, memory, compiled loops."""

"""What a night takes, said beforehand: memory, disk and time of each stage and model, from counts alone."""

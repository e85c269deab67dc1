"""Speech with known phone times, for training the speech encoder: texts, voices, alignment, augmentation."""

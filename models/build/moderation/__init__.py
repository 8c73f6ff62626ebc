"""The moderation model: its sentences, its augmentation, and the slices it is judged by."""

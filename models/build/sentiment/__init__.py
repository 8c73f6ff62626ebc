"""The sentiment model: its words, its sentences and the recipe that turns them into a model."""

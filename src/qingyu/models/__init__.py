"""What a model is: its file, its tokens, its chat template, and where it is kept."""

"""What is understood without a model: templates, a stop, yes and no, what time it is."""

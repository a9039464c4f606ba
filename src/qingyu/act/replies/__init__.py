"""What is said back, in the speaker's language: from facts and nothing else."""

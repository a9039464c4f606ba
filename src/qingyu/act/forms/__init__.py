"""What a skill model writes: what is asked for, with pointers to marks (docs/forms.md)."""

"""What a sentence mentions, found by code: devices, places, numbers and times, numbered."""

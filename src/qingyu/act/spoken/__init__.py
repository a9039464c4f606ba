"""How people say numbers, times and letters, in Chinese and English: text in, typed values out."""

"""The Hugging Face Hub: runs come from there and go there, and the app lives there as a Space."""

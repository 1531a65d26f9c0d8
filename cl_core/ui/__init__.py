"""The app. Nothing outside this folder and `app.py` imports Gradio."""

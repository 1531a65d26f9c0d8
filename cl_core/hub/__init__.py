"""The Hugging Face Hub: download and publish runs, download encoders, deploy the app as a Space."""

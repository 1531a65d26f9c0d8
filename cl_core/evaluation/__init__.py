"""Quality of features, each measurement with its protocol."""

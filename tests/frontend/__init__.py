"""The browser side: its modules, served and tested."""

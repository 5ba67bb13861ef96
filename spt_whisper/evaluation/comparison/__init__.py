"""Recipes side by side: runs, their store, a table and a picture."""

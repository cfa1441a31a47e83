"""Devices that keep a journal, as processes of their own: they do not share the fate of what they feed."""

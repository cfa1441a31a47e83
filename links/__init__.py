"""The link between an edge and the core: who is who, and how they came to know each other.

Keys, certificates, one-time invitations, the folder in which a box keeps its identity, and files of
secrets. Every room that opens a connection may use it. It opens none itself, and it knows neither devices nor
readings.
"""

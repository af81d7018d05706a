"""Work on parts of the data, on the cores of this machine or on the nodes of a cluster."""

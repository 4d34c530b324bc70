"""What fails, what is lost and how long it takes: the shape of a cluster broken on purpose, and the page of it."""

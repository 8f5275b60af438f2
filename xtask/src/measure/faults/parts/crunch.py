"""FOLDER: computes without end."""

while True:
    sum(range(10000))

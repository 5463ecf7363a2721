"""What `./run bench` measures. Nothing here is asserted: machines differ."""

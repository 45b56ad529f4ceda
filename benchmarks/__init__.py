"""Studies and measurements that print a table; not part of the product, not run by CI."""

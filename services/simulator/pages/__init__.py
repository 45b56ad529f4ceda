"""What people see: pages made on the server, with a little script that keeps them live. The numbers are the API's."""

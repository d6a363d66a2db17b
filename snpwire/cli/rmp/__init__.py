"""snpwire rmp: tables read, searched, checked and drawn."""

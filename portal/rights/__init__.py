"""The rights of customers: to be erased, to be given all that is held on them, and to be answered in time."""

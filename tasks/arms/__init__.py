"""Arms: users by groups whose lists are made otherwise, so that what the lists do can be compared."""

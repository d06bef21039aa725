"""The principals that every workspace has."""

ADMIN_ID, ADMIN_NAME = "1", "admin"
ADMINS_ID, ADMINS = "2", "admins"
"""The group whose members may do everything."""
USERS_ID, USERS = "3", "users"
"""The group of all users and service principals."""

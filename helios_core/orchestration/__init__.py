"""The Prefect server, its worker and its deployments, started and watched by Helios."""

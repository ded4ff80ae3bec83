"""The VALR exchange client."""

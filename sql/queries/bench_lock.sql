SELECT pg_try_advisory_lock(7215300421);

-- writers of one book follow each other; the lock ends with the transaction
SELECT pg_advisory_xact_lock(hashtextextended(%(mode)s || '/' || %(book)s, 0))

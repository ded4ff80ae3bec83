-- bulk_begin: a large file may take its time; tells the time by which bars must have closed
SELECT now(), set_config('statement_timeout', '0', true);

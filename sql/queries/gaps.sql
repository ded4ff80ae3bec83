-- gaps: the gap ledger of one pair and timeframe
SELECT gap_start, gap_end, missing, cause FROM gap_ledger
WHERE pair = %(pair)s AND timeframe = %(timeframe)s
ORDER BY gap_start;

-- gaps_forget: remove the gap ledger of a pair
DELETE FROM gap_ledger WHERE pair = %(pair)s;

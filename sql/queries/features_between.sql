-- features_between: feature vectors of bars that open in [start, end), oldest first
SELECT open_time, v FROM engineered_features
WHERE pair = %(pair)s AND timeframe = %(timeframe)s AND set_id = %(set_id)s
  AND open_time >= %(start)s AND open_time < %(end)s
ORDER BY open_time;

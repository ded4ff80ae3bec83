-- feature_set_save: make a catalogue known; its names never change
INSERT INTO feature_sets (sha256, names) VALUES (%(sha256)s, %(names)s)
ON CONFLICT (sha256) DO NOTHING;

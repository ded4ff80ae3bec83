-- feature_set: the number and names of a catalogue
SELECT set_id, names FROM feature_sets WHERE sha256 = %(sha256)s;

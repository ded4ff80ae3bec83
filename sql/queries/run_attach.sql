UPDATE runs SET notebook_path = %(path)s, notebook_sha256 = %(sha256)s WHERE run_id = %(run_id)s

module podlab/offline/pause

go 1.24.0

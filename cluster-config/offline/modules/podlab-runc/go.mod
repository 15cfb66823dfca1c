module podlab/offline/podlab-runc

go 1.24.0

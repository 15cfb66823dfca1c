module podlab/offline/flannel

go 1.26.0

require github.com/flannel-io/flannel v0.28.10

// Not served by the module proxy; see stubs/tencent-vpc.
replace github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/vpc => ./stubs/tencent-vpc

// Package v20170312 stands in for a cloud vendor's SDK that is not served by the module proxy.
//
// flannel's tencent-vpc backend is the only user; the backends of this kit (vxlan, host-gw) never
// reach it. Every call says so instead of pretending to have reached a cloud.
package v20170312

import "errors"

var errAbsent = errors.New("the tencent-vpc backend is not part of podlab's offline image set")

// Filter narrows a listing.
type Filter struct {
	Name   *string
	Values []*string
}

// Route is one row of a route table.
type Route struct {
	DestinationCidrBlock, GatewayType, GatewayId, RouteType *string
	RouteId                                                 *uint64
	Enabled                                                 *bool
}

// RouteTable is a table with its rows.
type RouteTable struct {
	RouteTableId *string
	RouteSet     []*Route
}

// DescribeRouteTablesRequest asks for route tables.
type DescribeRouteTablesRequest struct{ Filters []*Filter }

// DescribeRouteTablesResponse would hold the answer.
type DescribeRouteTablesResponse struct {
	Response *struct{ RouteTableSet []*RouteTable }
}

// DeleteRoutesRequest removes rows.
type DeleteRoutesRequest struct {
	RouteTableId *string
	Routes       []*Route
}

// CreateRoutesRequest adds rows.
type CreateRoutesRequest struct {
	RouteTableId *string
	Routes       []*Route
}

// Empty is the answer of a change.
type Empty struct{}

// Client reaches nothing.
type Client struct{}

func NewClientWithSecretId(_, _, _ string) (*Client, error) { return &Client{}, nil }
func NewDescribeRouteTablesRequest() *DescribeRouteTablesRequest {
	return &DescribeRouteTablesRequest{}
}
func NewDeleteRoutesRequest() *DeleteRoutesRequest                { return &DeleteRoutesRequest{} }
func NewCreateRoutesRequest() *CreateRoutesRequest                { return &CreateRoutesRequest{} }
func (*Client) DeleteRoutes(*DeleteRoutesRequest) (*Empty, error) { return nil, errAbsent }
func (*Client) CreateRoutes(*CreateRoutesRequest) (*Empty, error) { return nil, errAbsent }
func (*Client) DescribeRouteTables(*DescribeRouteTablesRequest) (*DescribeRouteTablesResponse, error) {
	return nil, errAbsent
}

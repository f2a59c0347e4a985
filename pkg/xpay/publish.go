package xpay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
)

const (
	goodsIDMax     = 64   // letters, digits, _ and -
	goodsNameRunes = 20   // the current rule; an older edition allowed 1024
	remarkRunesMax = 1024 // spec 4.11
)

// GoodsItem is a product as the development version holds it (spec 4.11).
type GoodsItem struct {
	ID     string // 1 to 64 letters, digits, _ and -; one reader of the newest page says 20 (SINGLE)
	Name   string // 1 to 20 characters (CONFLICT by edition: an older one allowed 1024)
	Price  Fen    // above 0
	Remark string // 1 to 1024 characters
	// ItemURL is a picture, jpg or png, which WeChat fetches and hosts; 200 by 200 and below 200 KB in the console.
	ItemURL string
}

// TaskStatus is the state of the one upload or publish task there can be.
type TaskStatus int

const (
	TaskNone    TaskStatus = 0
	TaskRunning TaskStatus = 1
	TaskFailed  TaskStatus = 2 // finished, some items failed
	TaskDone    TaskStatus = 3
)

// ItemStatus is the state of one item of a task.
type ItemStatus int

const (
	ItemRunning ItemStatus = 0
	ItemExists  ItemStatus = 1 // upload: the id exists
	ItemDone    ItemStatus = 2
	ItemFailed  ItemStatus = 3
)

// StartUploadGoods puts one product into the development version, which is the current limit per call. While another
// task runs the answer is 268490012, for sensitive text or pictures 268490007. QueryUploadGoods tells how it ended.
// Spec 4.11.
func (c *Client) StartUploadGoods(ctx context.Context, item GoodsItem) error {
	type uploadItem struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Price   Fen    `json:"price"`
		Remark  string `json:"remark"`
		ItemURL string `json:"item_url"`
	}
	_, err := c.call(ctx, startUploadGoods, request{wrong: item.validate(), body: struct {
		UploadItem []uploadItem `json:"upload_item"`
		Env        Env          `json:"env"`
	}{[]uploadItem{{item.ID, item.Name, item.Price, item.Remark, item.ItemURL}}, c.Merchant.env}})
	return err
}

func (g GoodsItem) validate() error {
	return cmp.Or(
		validGoodsID(g.ID),
		checkText("name", g.Name, "name the product"), checkRunes("name", g.Name, goodsNameRunes),
		checkPositive("price", int64(g.Price), "fen"),
		checkText("remark", g.Remark, "describe the product"), checkRunes("remark", g.Remark, remarkRunesMax),
		checkWebAddress("item_url", g.ItemURL),
	)
}

func validGoodsID(id string) error {
	if id == "" || len(id) > goodsIDMax {
		return fmt.Errorf("id has %d characters: use 1 to %d", len(id), goodsIDMax)
	}
	return validMarks("id", id, refundMark)
}

func checkWebAddress(field, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New(field + " is not a web address: start it with https://")
	}
	return nil
}

// UploadTask is the last upload (spec 4.11).
type UploadTask struct {
	Status TaskStatus
	Items  []UploadedItem
	Raw    json.RawMessage
}

// UploadedItem is one product of an upload. ItemURL is where WeChat hosts the picture.
type UploadedItem struct {
	GoodsItem
	Status ItemStatus // upload_status
	ErrMsg string     // why it failed
}

// QueryUploadGoods tells how the last upload stands; TaskNone when there was none. Spec 4.11.
func (c *Client) QueryUploadGoods(ctx context.Context) (UploadTask, error) {
	return ask(ctx, c, queryUploadGoods, request{body: envOnly{c.Merchant.env}}, func(f *fields, a answer) UploadTask {
		return UploadTask{Status: TaskStatus(f.needed("status")), Items: list(f, "upload_item", readUploadedItem), Raw: a.raw}
	})
}

// envOnly is the body of the queries without parameters.
type envOnly struct {
	Env Env `json:"env"`
}

func readUploadedItem(f *fields) UploadedItem {
	return UploadedItem{
		GoodsItem: GoodsItem{
			ID: f.text("id"), Name: f.text("name"), Price: f.fenOrZero("price"), Remark: f.text("remark"), ItemURL: f.text("item_url"),
		},
		Status: ItemStatus(f.needed("upload_status")), ErrMsg: f.text("errmsg"),
	}
}

// StartPublishGoods publishes one product of the development version. Users can buy it some minutes to half an hour
// later (spec 1.5). While another task runs the answer is 268490012. Spec 4.11.
func (c *Client) StartPublishGoods(ctx context.Context, id string) error {
	type publishItem struct {
		ID string `json:"id"`
	}
	_, err := c.call(ctx, startPublishGoods, request{wrong: validGoodsID(id), body: struct {
		PublishItem []publishItem `json:"publish_item"`
		Env         Env           `json:"env"`
	}{[]publishItem{{id}}, c.Merchant.env}})
	return err
}

// PublishTask is the last publishing (spec 4.11).
type PublishTask struct {
	Status TaskStatus
	Items  []PublishedItem
	Raw    json.RawMessage
}

// PublishedItem is one product of a publishing.
type PublishedItem struct {
	ID     string
	Status ItemStatus // publish_status
	ErrMsg string     // why it failed
}

// QueryPublishGoods tells how the last publishing stands; TaskNone when there was none. Spec 4.11.
func (c *Client) QueryPublishGoods(ctx context.Context) (PublishTask, error) {
	return ask(ctx, c, queryPublishGoods, request{body: envOnly{c.Merchant.env}}, func(f *fields, a answer) PublishTask {
		return PublishTask{Status: TaskStatus(f.needed("status")), Raw: a.raw,
			Items: list(f, "publish_item", func(f *fields) PublishedItem {
				return PublishedItem{ID: f.text("id"), Status: ItemStatus(f.needed("publish_status")), ErrMsg: f.text("errmsg")}
			})}
	})
}
